"""What a user would write in plain Keras: SRCNN on patches in memory for twenty steps, then saved."""

import keras
import numpy as np

low = np.random.default_rng(0).random((320, 24, 24, 1), np.float32)
high = np.random.default_rng(1).random((320, 48, 48, 1), np.float32)
image = keras.Input((None, None, 1))
restored = keras.layers.UpSampling2D(2, interpolation="bicubic")(image)
restored = keras.layers.Conv2D(64, 9, padding="same", activation="relu")(restored)
restored = keras.layers.Conv2D(32, 5, padding="same", activation="relu")(restored)
restored = keras.layers.Conv2D(1, 5, padding="same")(restored)
model = keras.Model(image, restored)
model.compile("adam", "mse", jit_compile=False)
model.fit(low, high, batch_size=16, verbose=0)
model.save("plain.keras")
