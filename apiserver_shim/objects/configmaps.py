"""ConfigMaps: two maps that share their keys, one size limit."""

from apiserver_shim.objects import names
from apiserver_shim.objects.errors import FieldError, forbidden, invalid, too_long
from apiserver_shim.objects.schema import BOOL, STRINGS, Bytes, Map, decoded_size, top_level
from apiserver_shim.objects.secrets import IMMUTABLE, SIZE_LIMIT
from apiserver_shim.objects.strategy import Object, Strategy


class ConfigMapStrategy(Strategy):
    resource = "configmaps"
    singular = "configmap"
    kind = "ConfigMap"
    short_names = ("cm",)
    shape = top_level("ConfigMap", {"data": STRINGS, "binaryData": Map(Bytes()), "immutable": BOOL})

    def validate_content(self, obj: Object) -> list[FieldError]:
        data: dict[str, str] = obj.get("data") or {}
        binary: dict[str, str] = obj.get("binaryData") or {}
        found = []
        for key in data:
            found += [invalid(f"data[{key}]", key, m) for m in names.config_key(key)]
            if key in binary:
                detail = "duplicate of key present in binaryData"
                found.append(invalid(f"data[{key}]", key, detail))
        for key in binary:
            found += [invalid(f"binaryData[{key}]", key, m) for m in names.config_key(key)]
        if sum(len(v.encode()) for v in data.values()) + decoded_size(binary) > SIZE_LIMIT:
            found.append(too_long("", SIZE_LIMIT))
        return found

    def validate_change(self, obj: Object, old: Object) -> list[FieldError]:
        if not old.get("immutable"):
            return []
        changed = [f for f in ("data", "binaryData") if (obj.get(f) or {}) != (old.get(f) or {})]
        if not obj.get("immutable"):
            changed.insert(0, "immutable")
        return [forbidden(field, IMMUTABLE) for field in changed]
