"""A rehearsal: an ``OpenAIEndpoint`` with a server inside the worker that invents or replays answers.

``server.py`` answers and misbehaves, ``roles.py`` invents texts, ``replay.py`` finds recorded ones,
``wire.py`` speaks as servers do. The tests use the same server. How an endpoint is added:
``dfj_bootstrap/endpoints/__init__.py``.
"""
