"""KMS 2016-01-20 on the wire: request models and response fields, a noun a module.

The only place with Alibaba's spelling. Times are UTC, `YYYY-MM-DDThh:mm:ssZ`.
"""
