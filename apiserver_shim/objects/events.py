"""Events: what controllers tell people about other objects; kept for an hour."""

from apiserver_shim.objects.errors import FieldError, invalid
from apiserver_shim.objects.schema import INT32, OBJECT_REFERENCE, STRING, Struct, Time, top_level
from apiserver_shim.objects.strategy import Object, Strategy

_SOURCE = Struct("EventSource", {"component": STRING, "host": STRING})
_SERIES = Struct("EventSeries", {"count": INT32, "lastObservedTime": Time(micro=True)})
_REFERENCE_FIELDS = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion")


class EventStrategy(Strategy):
    resource = "events"
    singular = "event"
    kind = "Event"
    short_names = ("ev",)
    shape = top_level(
        "Event",
        {
            "involvedObject": OBJECT_REFERENCE,
            "reason": STRING,
            "message": STRING,
            "source": _SOURCE,
            "firstTimestamp": Time(),
            "lastTimestamp": Time(),
            "count": INT32,
            "type": STRING,
            "eventTime": Time(micro=True),
            "series": _SERIES,
            "action": STRING,
            "related": OBJECT_REFERENCE,
            "reportingComponent": STRING,
            "reportingInstance": STRING,
        },
    )

    def validate_content(self, obj: Object) -> list[FieldError]:
        about = (obj.get("involvedObject") or {}).get("namespace", "")
        own = obj["metadata"].get("namespace", "")
        # what is said of cluster-scoped objects is kept in the default namespace
        if about == own or (not about and own == "default"):
            return []
        return [invalid("involvedObject.namespace", about, "does not match event.namespace")]

    def fields(self, obj: Object) -> dict[str, str]:
        about = obj.get("involvedObject") or {}
        component = obj.get("reportingComponent", "")
        return {
            **super().fields(obj),
            **{f"involvedObject.{name}": about.get(name, "") for name in _REFERENCE_FIELDS},
            "involvedObject.fieldPath": about.get("fieldPath", ""),
            "reason": obj.get("reason", ""),
            "reportingComponent": component,
            "source": (obj.get("source") or {}).get("component", "") or component,
            "type": obj.get("type", ""),
        }
