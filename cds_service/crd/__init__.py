"""Da Vinci Coverage Requirements Discovery: an Evaluation as the payer's side tells it."""
