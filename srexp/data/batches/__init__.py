"""Training batches as a function of (seed, epoch, step): patches, augmentation, several scales, `tf.data`.

Images come decoded from `data.preparation`.
"""
