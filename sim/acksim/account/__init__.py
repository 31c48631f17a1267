"""The Alibaba Cloud account: who may, who did, what it costs."""
