"""Another implementation of JSONPath for comparison: the package jsonpath-rfc9535. Lines in and out as test/tool/jsonpath.c."""
import json
import sys

import jsonpath_rfc9535 as jsonpath

for line in sys.stdin:
    query, document = json.loads(line)
    try:
        found = [node.value for node in jsonpath.find(query, document)]
    except jsonpath.JSONPathError:
        print('{"fault":true}')
    else:
        print(json.dumps(found))
