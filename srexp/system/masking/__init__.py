"""What nobody shall read: passwords in addresses, and the names of patients' images.

What stands in their place is made here, and what is said or kept goes through it; where it is said is `stdio`'s.
"""
