"""The command line: ``vaetheory train``, ``vaetheory evaluate``. Needs the extra ``cli``."""
