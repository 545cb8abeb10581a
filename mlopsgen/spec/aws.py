"""`spec.aws`: where the pipeline lives."""

from typing import Annotated

from pydantic import Field

from mlopsgen.spec.base import AccountId, Arn, Spec


class AwsSpec(Spec):
    """The AWS account and region that everything is deployed to."""

    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")]
    """The region, such as `ap-southeast-1`."""

    account: AccountId | None = None
    """The account. When given, `deploy.sh` refuses to run in any other."""

    permissions_boundary: Arn | None = None
    """A managed policy that bounds every role this pipeline creates."""
