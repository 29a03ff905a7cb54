"""Images from and to a hospital's archive (PACS): DICOMweb and C-STORE, and the spool in which images wait.

Here belongs what speaks to other machines, and what keeps images until these have them. How an image is read and
restored is passed in as functions.
"""
