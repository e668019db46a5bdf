"""English, by tables and neighbourhood: words, stems, denials, refusals. Pure; no model and no grammar."""
