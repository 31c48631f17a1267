"""Thin asyncio client of the etcd v3 API, in the shapes an API server needs."""


class EtcdClient:
    """One channel to an etcd cluster, shared by every store."""
