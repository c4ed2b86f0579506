"""Slack's Web API with one bot token: what the channel and the notice share."""
