"""`blackstart drill`: a throwaway embedded cluster is broken, recovered, and the result proven (issue 4)."""
