"""Recovery: evidence (looks), verdict (decides, pure), show (tells); what follows is in `blackstart/steps`."""
