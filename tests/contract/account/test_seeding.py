"""A world that begins with a seed: whoever is answered at all finds it planted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from acksim.clients.kms import Kms

SEED = """
accounts: [{id: "1000000000000002", access_keys: [{id: LTAIshop, secret: shop-secret}]}]
keys:
  - {id: root-key, aliases: [alias/acksim]}
  - {id: shop-key, account: "1000000000000002", aliases: [alias/shop], state: Disabled}
"""


def test_a_seeded_world(emulator: Callable[..., Any], tmp_path: Path) -> None:
    seed = tmp_path / "seed.yaml"
    seed.write_text(SEED)
    with emulator(tmp_path / "world", ACKSIM_SEED=str(seed)) as started:
        shop = Kms(started.wait().endpoint, "LTAIshop", "shop-secret")
        assert shop.describe_key("alias/shop")["KeyState"] == "Disabled"
        shop.call("EnableKey", KeyId="shop-key")
        sealed = shop.call("Encrypt", KeyId="shop-key", Plaintext="aGk=")["CiphertextBlob"]
        assert started.get("/_sim/clusters")[0]["key_id"] == "root-key"
        before = started.kms().describe_key("root-key")["PrimaryKeyVersion"]
        rotated = started.post("/_sim/kms/rotate", {"key_id": "alias/acksim"})
        assert rotated["primary_key_version"] != before
    with emulator(tmp_path / "world", ACKSIM_SEED=str(seed)) as again:
        shop = Kms(again.wait().endpoint, "LTAIshop", "shop-secret")
        assert shop.describe_key("shop-key")["KeyState"] == "Enabled"
        assert shop.call("Decrypt", CiphertextBlob=sealed)["Plaintext"] == "aGk="
    with emulator(tmp_path / "other", ACKSIM_SEED=str(seed)) as other:  # of the same material
        shop = Kms(other.wait().endpoint, "LTAIshop", "shop-secret")
        shop.call("EnableKey", KeyId="shop-key")
        assert shop.call("Decrypt", CiphertextBlob=sealed)["Plaintext"] == "aGk="
