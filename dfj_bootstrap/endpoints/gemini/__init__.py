"""Google's Gemini API over Google's client (extra ``gemini``): the pattern for a protocol of its own.

``wire.py`` is pure: a call → a request, a body → an answer or a problem. ``endpoint.py`` sends it. How an
endpoint is added, and what it shares with the others: ``dfj_bootstrap/endpoints/__init__.py``.
"""
