"""Fine-tunes a BERT-family checkpoint to tell what a customer wants."""
