"""Records what Pillow's ImageEnhance makes of small images: run with Pillow installed."""
import base64, json, random
from PIL import Image, ImageEnhance, __version__
random.seed(5)
cases, images = [], []
def image(w, h, kind):
    px = []
    for i in range(w * h):
        x, y = i % w, i // w
        if kind == "noise": c = [random.randrange(256) for _ in range(3)]
        elif kind == "smooth": c = [(x * 9 + y * 5) % 256, (x * 3 + 40 * y) % 256, 255 - (x * 7) % 256]
        else: c = random.choice([[0, 0, 0], [255, 255, 255], [200, 30, 40], [1, 254, 128]])
        a = random.choice([255, 255, 255, 0, 130]) if kind != "smooth" else 255
        if a == 0: c = [0, 0, 0]
        px += c + [a]
    return bytes(px)
factors = [0, 0.3, 0.5, 0.999, 1, 1.0001, 1.7, 2.5, 10, -1, -0.4, 1000000]
for n, (w, h) in enumerate([(1, 1), (2, 5), (7, 3), (9, 7)]):
    for kind in ["noise", "smooth", "patches"]:
        raw = image(w, h, kind)
        images.append({"width": w, "height": h, "rgba": base64.b64encode(raw).decode()})
        combos = [{k: f} for k in ["color", "contrast", "brightness", "sharpness"] for f in factors] if n > 1 else []
        combos += [{k: random.choice(factors[:8]) for k in ["color", "contrast", "brightness", "sharpness"]} for _ in range(6)]
        if n == 3 and kind != "noise": combos = combos[-6:]
        for combo in combos:
            im = Image.frombytes("RGBA", (w, h), raw)
            for k in ["color", "contrast", "brightness", "sharpness"]:
                if k in combo: im = getattr(ImageEnhance, k.capitalize())(im).enhance(combo[k])
            cases.append({"image": len(images) - 1, **combo, "want": base64.b64encode(im.tobytes()).decode()})
out = '{"pillow": %s, "images": [\n%s\n], "cases": [\n%s\n]}\n' % (json.dumps(__version__), ",\n".join(map(json.dumps, images)), ",\n".join(map(json.dumps, cases)))
open("enhance.json", "w").write(out)
print(len(cases), len(out))
