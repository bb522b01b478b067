"""HCP Terraform's side of a cluster: what should be there, and what has to change for it (issue 8)."""
