"""The pages people look at: journal rows → HTML. No HTTP here; `allears.http` asks for pages."""
