"""Servers that speak OpenAI's chat completions API; the ground on which others of that protocol stand.

``wire.py`` is pure: a call → a request, a body → an answer or a problem. ``endpoint.py`` sends it, and
``as_openai`` turns a section of another backend into its own. How an endpoint is added, and what it shares
with the others: ``dfj_bootstrap/endpoints/__init__.py``.
"""
