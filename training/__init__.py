"""How the network learns: recipes, denoising queries, matching, losses.

net = build_model("n").train()
recipe = RECIPES["n"]
criterion = Criterion(recipe, net.decoder.integral)
denoising = denoise(targets, net.num_classes, net.variant.decoder.queries, recipe.denoising)
out = net(images, denoising and denoising.queries)
losses = criterion(out, targets, epoch, denoising)
sum(losses.values()).backward()
"""
