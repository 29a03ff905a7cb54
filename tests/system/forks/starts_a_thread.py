"""A module that no process can be forked after."""

import threading
import time

threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
