"""landline: agentic coding clients on a model that you serve yourself."""

__version__ = "0.1.0.dev0"
