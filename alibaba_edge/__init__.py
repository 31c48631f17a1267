"""The edge of Alibaba Cloud's APIs that every product shares and none owns."""
