"""Ways to reach a model, a folder each.

How to add one:

1. A section in ``config/models.py``: a ``PaidModel`` with a ``backend`` of its own, in the union ``Model``. A
   setting that changes answers also goes into ``roles/identity.py``; ``keys.py`` knows where keys come from.
2. A server that speaks OpenAI's protocol: a subclass of ``OpenAIEndpoint``, with ``as_openai`` of its
   section, as ``vllm`` and ``scripted`` are. Any other: two modules, as in ``gemini``.

   - ``wire.py``, pure: ``request_body``, ``read_answer`` (a ``Metered``: reply and usage), ``read_problem``;
     a frozen ``Dialect`` (what is sent), a ``Problem`` (a refusal), and ``adapted``, to the next dialect.
   - ``endpoint.py``: a ``PaidEndpoint`` with ``_ask``, ``_adapted``, ``_settle`` and ``aclose``.

   One that is no server, as ``swift``: ``complete``, ``stop_admission`` and ``aclose``, and its own limits.

3. A branch in ``roles/backends.py`` that opens it, and imports its client only there: a missing extra
   concerns nobody else. What is opened there is tried before anything is spent.

What it shares: ``paid.py`` takes a call through gate, attempts, doubts and pricing; an endpoint knows nothing
of limits but to raise ``Broken``, and to tell the gate of a rate that is used up. ``transport.py`` and
``unsent.py`` say in words what the network did, ``misdirected.py`` what answered in the server's stead;
``surroundings.py`` sees to proxies and certificates. ``wire.py``, ``usage.py``, ``finishes.py``,
``embedded.py`` and ``waits.py`` read what servers spell differently: JSON, tokens, how an answer ended,
errors in a 200, headers that ask to wait. ``prices.py`` knows what public models cost.
``child.py`` starts what must not outlive this process.
"""
