"""What the operating system is asked: processes, signals, streams, whole files, memory, locks, time; masked secrets.

Templates are filled here as well. Nothing here knows images, networks or MLflow, and every part may import it.
There is a file for each thing that is asked, which makes fifteen.
"""
