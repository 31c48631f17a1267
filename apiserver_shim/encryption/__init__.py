"""EncryptionConfiguration and the transformers it builds."""
