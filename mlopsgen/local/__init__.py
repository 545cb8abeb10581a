"""A rehearsal without an account: the generated commands against an AWS that runs in this process."""
