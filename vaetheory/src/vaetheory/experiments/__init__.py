"""The theory's claims measured on trained models; what ``vaetheory reproduce`` runs."""
