"""RAM on the wire: requests and the parts of answers, with Alibaba's spelling."""
