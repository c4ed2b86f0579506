"""What the channels of the WeChat family share: callbacks, access tokens, calls, messages."""
