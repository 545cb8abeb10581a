"""`spec.protection`: what cannot be deleted by mistake."""

from mlopsgen.language.base import Spec


class ProtectionSpec(Spec):
    """What cannot be deleted by mistake."""

    stacks: bool = True
    """Termination protection, and a stack policy against replacing and deleting networks and what holds data. `deploy.sh --prune` and `--destroy` lift it, after a yes, from the stacks that they delete."""

    load_balancers: bool = True
    """Deletion protection. A change that replaces a load balancer fails while it is on."""
