"""Rights on AWS that no verb gives."""
