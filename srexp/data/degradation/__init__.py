"""What makes images worse: reduction, blur, noise, X-ray dose, and MATLAB's imresize.

Augmentation, which changes what is shown and not how well, is in `data.batches`.
"""
