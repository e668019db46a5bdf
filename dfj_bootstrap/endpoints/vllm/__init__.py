"""Models that the run itself serves with vLLM: an ``OpenAIEndpoint`` whose servers are its own.

``endpoint.py`` chooses the replica of a seed, ``process.py`` keeps one server up, ``command.py`` says how it
is started, ``supervisor.py`` ends it with its parent. Under Ray, ``cluster/replicas.py`` keeps them instead.
How an endpoint is added: ``dfj_bootstrap/endpoints/__init__.py``.
"""
