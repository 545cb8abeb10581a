"""`spec.protection`: what cannot be deleted by mistake."""
