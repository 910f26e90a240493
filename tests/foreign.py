"""Messages that no factory has sent, from plain text to nearly a message."""

import json

PROPERTIES = {"delivery_tag": "5", "delivery_info": {"exchange": "", "routing_key": "x"}}
JSON = {"content-type": "application/json", "content-encoding": "utf-8"}

FOREIGN = (
    b"hello",
    b"\xff\xfe",
    *(
        json.dumps(item).encode()
        for item in (
            None,
            [],
            {},
            {"body": "x"},
            {"body": "x", "properties": {}},
            {"body": "x", "properties": {"delivery_tag": "1"}},
            {"body": "x", "properties": {"delivery_tag": "2", "delivery_info": {}}},
            {"body": "x", "headers": {}, "properties": PROPERTIES},
            {"body": "x", "headers": {"task": "other", "id": "3"}, "properties": PROPERTIES},
            {"body": "x", "headers": {"task": "generate"}, "properties": PROPERTIES, **JSON},
            {
                "body": "[[1], {}, {}]",
                "headers": {"task": "generate", "id": "5"},
                "properties": PROPERTIES,
                **JSON,
            },
        )
    ),
)
