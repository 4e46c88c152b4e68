"""Functions of the environment, one overload a line, in the order in which they are tried.

    name  method|function  overload  (argument types) -> result type

A method's first argument is its target. Capital letters are free types.
Source: google/cel-go common/stdlib, ext; k8s.io/apiserver/pkg/cel/library; for stored expressions
of k8s.io/dynamic-resource-allocation/cel, v0.36.3.
"""

from __future__ import annotations

from dataclasses import dataclass

from mizzen.cel import types
from mizzen.cel.types import Type


@dataclass(frozen=True, slots=True)
class Overload:
    id: str
    method: bool
    args: tuple[Type, ...]
    result: Type
    free: tuple[str, ...]  # names of its free types


_TABLE = """
!_ function logical_not (bool) -> bool
-_ function negate_double (double) -> double
-_ function negate_int64 (int) -> int
@in function in_list (A, list(A)) -> bool
@in function in_map (A, map(A, B)) -> bool
@not_strictly_false function not_strictly_false (bool) -> bool
@sortByAssociatedKeys method list_int_sortByAssociatedKeys (list(T), list(int)) -> list(T)
@sortByAssociatedKeys method list_uint_sortByAssociatedKeys (list(T), list(uint)) -> list(T)
@sortByAssociatedKeys method list_double_sortByAssociatedKeys (list(T), list(double)) -> list(T)
@sortByAssociatedKeys method list_bool_sortByAssociatedKeys (list(T), list(bool)) -> list(T)
@sortByAssociatedKeys method list_google.protobuf.Duration_sortByAssociatedKeys (list(T), list(duration)) -> list(T)
@sortByAssociatedKeys method list_google.protobuf.Timestamp_sortByAssociatedKeys (list(T), list(timestamp)) -> list(T)
@sortByAssociatedKeys method list_string_sortByAssociatedKeys (list(T), list(string)) -> list(T)
@sortByAssociatedKeys method list_bytes_sortByAssociatedKeys (list(T), list(bytes)) -> list(T)
_!=_ function not_equals (A, A) -> bool
_%_ function modulo_int64 (int, int) -> int
_%_ function modulo_uint64 (uint, uint) -> uint
_&&_ function logical_and (bool, bool) -> bool
_*_ function multiply_double (double, double) -> double
_*_ function multiply_int64 (int, int) -> int
_*_ function multiply_uint64 (uint, uint) -> uint
_+_ function add_bytes (bytes, bytes) -> bytes
_+_ function add_double (double, double) -> double
_+_ function add_duration_duration (duration, duration) -> duration
_+_ function add_duration_timestamp (duration, timestamp) -> timestamp
_+_ function add_timestamp_duration (timestamp, duration) -> timestamp
_+_ function add_int64 (int, int) -> int
_+_ function add_list (list(A), list(A)) -> list(A)
_+_ function add_string (string, string) -> string
_+_ function add_uint64 (uint, uint) -> uint
_-_ function subtract_double (double, double) -> double
_-_ function subtract_duration_duration (duration, duration) -> duration
_-_ function subtract_int64 (int, int) -> int
_-_ function subtract_timestamp_duration (timestamp, duration) -> timestamp
_-_ function subtract_timestamp_timestamp (timestamp, timestamp) -> duration
_-_ function subtract_uint64 (uint, uint) -> uint
_/_ function divide_double (double, double) -> double
_/_ function divide_int64 (int, int) -> int
_/_ function divide_uint64 (uint, uint) -> uint
_<=_ function less_equals_bool (bool, bool) -> bool
_<=_ function less_equals_int64 (int, int) -> bool
_<=_ function less_equals_int64_double (int, double) -> bool
_<=_ function less_equals_int64_uint64 (int, uint) -> bool
_<=_ function less_equals_uint64 (uint, uint) -> bool
_<=_ function less_equals_uint64_double (uint, double) -> bool
_<=_ function less_equals_uint64_int64 (uint, int) -> bool
_<=_ function less_equals_double (double, double) -> bool
_<=_ function less_equals_double_int64 (double, int) -> bool
_<=_ function less_equals_double_uint64 (double, uint) -> bool
_<=_ function less_equals_string (string, string) -> bool
_<=_ function less_equals_bytes (bytes, bytes) -> bool
_<=_ function less_equals_timestamp (timestamp, timestamp) -> bool
_<=_ function less_equals_duration (duration, duration) -> bool
_<_ function less_bool (bool, bool) -> bool
_<_ function less_int64 (int, int) -> bool
_<_ function less_int64_double (int, double) -> bool
_<_ function less_int64_uint64 (int, uint) -> bool
_<_ function less_uint64 (uint, uint) -> bool
_<_ function less_uint64_double (uint, double) -> bool
_<_ function less_uint64_int64 (uint, int) -> bool
_<_ function less_double (double, double) -> bool
_<_ function less_double_int64 (double, int) -> bool
_<_ function less_double_uint64 (double, uint) -> bool
_<_ function less_string (string, string) -> bool
_<_ function less_bytes (bytes, bytes) -> bool
_<_ function less_timestamp (timestamp, timestamp) -> bool
_<_ function less_duration (duration, duration) -> bool
_==_ function equals (A, A) -> bool
_>=_ function greater_equals_bool (bool, bool) -> bool
_>=_ function greater_equals_int64 (int, int) -> bool
_>=_ function greater_equals_int64_double (int, double) -> bool
_>=_ function greater_equals_int64_uint64 (int, uint) -> bool
_>=_ function greater_equals_uint64 (uint, uint) -> bool
_>=_ function greater_equals_uint64_double (uint, double) -> bool
_>=_ function greater_equals_uint64_int64 (uint, int) -> bool
_>=_ function greater_equals_double (double, double) -> bool
_>=_ function greater_equals_double_int64 (double, int) -> bool
_>=_ function greater_equals_double_uint64 (double, uint) -> bool
_>=_ function greater_equals_string (string, string) -> bool
_>=_ function greater_equals_bytes (bytes, bytes) -> bool
_>=_ function greater_equals_timestamp (timestamp, timestamp) -> bool
_>=_ function greater_equals_duration (duration, duration) -> bool
_>_ function greater_bool (bool, bool) -> bool
_>_ function greater_int64 (int, int) -> bool
_>_ function greater_int64_double (int, double) -> bool
_>_ function greater_int64_uint64 (int, uint) -> bool
_>_ function greater_uint64 (uint, uint) -> bool
_>_ function greater_uint64_double (uint, double) -> bool
_>_ function greater_uint64_int64 (uint, int) -> bool
_>_ function greater_double (double, double) -> bool
_>_ function greater_double_int64 (double, int) -> bool
_>_ function greater_double_uint64 (double, uint) -> bool
_>_ function greater_string (string, string) -> bool
_>_ function greater_bytes (bytes, bytes) -> bool
_>_ function greater_timestamp (timestamp, timestamp) -> bool
_>_ function greater_duration (duration, duration) -> bool
_?._ function select_optional_field (dyn, string) -> optional_type(V)
_?_:_ function conditional (bool, A, A) -> A
_[?_] function list_optindex_optional_int (list(V), int) -> optional_type(V)
_[?_] function optional_list_optindex_optional_int (optional_type(list(V)), int) -> optional_type(V)
_[?_] function map_optindex_optional_value (map(K, V), K) -> optional_type(V)
_[?_] function optional_map_optindex_optional_value (optional_type(map(K, V)), K) -> optional_type(V)
_[_] function index_list (list(A), int) -> A
_[_] function index_map (map(A, B), A) -> B
_[_] function optional_list_index_int (optional_type(list(V)), int) -> optional_type(V)
_[_] function optional_map_index_value (optional_type(map(K, V)), K) -> optional_type(V)
_||_ function logical_or (bool, bool) -> bool
add method quantity_add (kubernetes.Quantity, kubernetes.Quantity) -> kubernetes.Quantity
add method quantity_add_int (kubernetes.Quantity, int) -> kubernetes.Quantity
allowed method decision_allowed (kubernetes.authorization.Decision) -> bool
asApproximateFloat method quantity_get_float (kubernetes.Quantity) -> double
asInteger method quantity_get_int (kubernetes.Quantity) -> int
bool function bool_to_bool (bool) -> bool
bool function string_to_bool (string) -> bool
bytes function bytes_to_bytes (bytes) -> bytes
bytes function string_to_bytes (string) -> bytes
cel.@mapInsert function @mapInsert_map_key_value (map(K, V), K, V) -> map(K, V)
cel.@mapInsert function @mapInsert_map_map (map(K, V), map(K, V)) -> map(K, V)
charAt method string_char_at_int (string, int) -> string
check method pathcheck_check (kubernetes.authorization.PathCheck, string) -> kubernetes.authorization.Decision
check method resourcecheck_check (kubernetes.authorization.ResourceCheck, string) -> kubernetes.authorization.Decision
cidr function string_to_cidr (string) -> net.CIDR
compareTo method quantity_compare_to (kubernetes.Quantity, kubernetes.Quantity) -> int
compareTo method semver_compare_to (kubernetes.Semver, kubernetes.Semver) -> int
contains method contains_string (string, string) -> bool
containsCIDR method cidr_contains_cidr_string (net.CIDR, string) -> bool
containsCIDR method cidr_contains_cidr (net.CIDR, net.CIDR) -> bool
containsIP method cidr_contains_ip_string (net.CIDR, string) -> bool
containsIP method cidr_contains_ip_ip (net.CIDR, net.IP) -> bool
distinct method list_distinct (list(T)) -> list(T)
double function double_to_double (double) -> double
double function int64_to_double (int) -> double
double function string_to_double (string) -> double
double function uint64_to_double (uint) -> double
duration function duration_to_duration (duration) -> duration
duration function int64_to_duration (int) -> duration
duration function string_to_duration (string) -> duration
dyn function to_dyn (A) -> dyn
endsWith method ends_with_string (string, string) -> bool
error method decision_error (kubernetes.authorization.Decision) -> string
errored method decision_errored (kubernetes.authorization.Decision) -> bool
family method ip_family (net.IP) -> int
fieldSelector method authorizer_fieldselector (kubernetes.authorization.ResourceCheck, string) -> kubernetes.authorization.ResourceCheck
find method string_find_string (string, string) -> string
findAll method string_find_all_string (string, string) -> list(string)
findAll method string_find_all_string_int (string, string, int) -> list(string)
first method list_first (list(V)) -> optional_type(V)
flatten method list_flatten (list(list(T))) -> list(T)
flatten method list_flatten_int (list(dyn), int) -> list(dyn)
format method string_format (string, list(dyn)) -> string
format.byte function format.byte () -> kubernetes.NamedFormat
format.date function format.date () -> kubernetes.NamedFormat
format.datetime function format.datetime () -> kubernetes.NamedFormat
format.dns1035Label function format.dns1035Label () -> kubernetes.NamedFormat
format.dns1035LabelPrefix function format.dns1035LabelPrefix () -> kubernetes.NamedFormat
format.dns1123Label function format.dns1123Label () -> kubernetes.NamedFormat
format.dns1123LabelPrefix function format.dns1123LabelPrefix () -> kubernetes.NamedFormat
format.dns1123Subdomain function format.dns1123Subdomain () -> kubernetes.NamedFormat
format.dns1123SubdomainPrefix function format.dns1123SubdomainPrefix () -> kubernetes.NamedFormat
format.labelValue function format.labelValue () -> kubernetes.NamedFormat
format.named function format-named (string) -> optional_type(kubernetes.NamedFormat)
format.qualifiedName function format.qualifiedName () -> kubernetes.NamedFormat
format.uri function format.uri () -> kubernetes.NamedFormat
format.uuid function format.uuid () -> kubernetes.NamedFormat
getDate method timestamp_to_day_of_month_1_based (timestamp) -> int
getDate method timestamp_to_day_of_month_1_based_with_tz (timestamp, string) -> int
getDayOfMonth method timestamp_to_day_of_month (timestamp) -> int
getDayOfMonth method timestamp_to_day_of_month_with_tz (timestamp, string) -> int
getDayOfWeek method timestamp_to_day_of_week (timestamp) -> int
getDayOfWeek method timestamp_to_day_of_week_with_tz (timestamp, string) -> int
getDayOfYear method timestamp_to_day_of_year (timestamp) -> int
getDayOfYear method timestamp_to_day_of_year_with_tz (timestamp, string) -> int
getEscapedPath method url_get_escaped_path (kubernetes.URL) -> string
getFullYear method timestamp_to_year (timestamp) -> int
getFullYear method timestamp_to_year_with_tz (timestamp, string) -> int
getHost method url_get_host (kubernetes.URL) -> string
getHostname method url_get_hostname (kubernetes.URL) -> string
getHours method timestamp_to_hours (timestamp) -> int
getHours method timestamp_to_hours_with_tz (timestamp, string) -> int
getHours method duration_to_hours (duration) -> int
getMilliseconds method timestamp_to_milliseconds (timestamp) -> int
getMilliseconds method timestamp_to_milliseconds_with_tz (timestamp, string) -> int
getMilliseconds method duration_to_milliseconds (duration) -> int
getMinutes method timestamp_to_minutes (timestamp) -> int
getMinutes method timestamp_to_minutes_with_tz (timestamp, string) -> int
getMinutes method duration_to_minutes (duration) -> int
getMonth method timestamp_to_month (timestamp) -> int
getMonth method timestamp_to_month_with_tz (timestamp, string) -> int
getPort method url_get_port (kubernetes.URL) -> string
getQuery method url_get_query (kubernetes.URL) -> map(string, list(string))
getScheme method url_get_scheme (kubernetes.URL) -> string
getSeconds method timestamp_to_seconds (timestamp) -> int
getSeconds method timestamp_to_seconds_tz (timestamp, string) -> int
getSeconds method duration_to_seconds (duration) -> int
group method authorizer_group (kubernetes.authorization.Authorizer, string) -> kubernetes.authorization.GroupCheck
hasValue method optional_hasValue (optional_type(V)) -> bool
includes method dra_includes_dyn_dyn (dyn, dyn) -> bool
indexOf method list_a_index_of_int (list(A), A) -> int
indexOf method string_index_of_string (string, string) -> int
indexOf method string_index_of_string_int (string, string, int) -> int
int function int64_to_int64 (int) -> int
int function double_to_int64 (double) -> int
int function duration_to_int64 (duration) -> int
int function string_to_int64 (string) -> int
int function timestamp_to_int64 (timestamp) -> int
int function uint64_to_int64 (uint) -> int
ip function string_to_ip (string) -> net.IP
ip method cidr_ip (net.CIDR) -> net.IP
ip.isCanonical function ip_is_canonical (string) -> bool
isCIDR function is_cidr (string) -> bool
isGlobalUnicast method ip_is_global_unicast (net.IP) -> bool
isGreaterThan method quantity_is_greater_than (kubernetes.Quantity, kubernetes.Quantity) -> bool
isGreaterThan method semver_is_greater_than (kubernetes.Semver, kubernetes.Semver) -> bool
isIP function is_ip (string) -> bool
isInteger method quantity_is_integer (kubernetes.Quantity) -> bool
isLessThan method quantity_is_less_than (kubernetes.Quantity, kubernetes.Quantity) -> bool
isLessThan method semver_is_less_than (kubernetes.Semver, kubernetes.Semver) -> bool
isLinkLocalMulticast method ip_is_link_local_multicast (net.IP) -> bool
isLinkLocalUnicast method ip_is_link_local_unicast (net.IP) -> bool
isLoopback method ip_is_loopback (net.IP) -> bool
isQuantity function is_quantity_string (string) -> bool
isSemver function is_semver_string (string) -> bool
isSemver function is_semver_string_bool (string, bool) -> bool
isSorted method list_int_is_sorted_bool (list(int)) -> bool
isSorted method list_uint_is_sorted_bool (list(uint)) -> bool
isSorted method list_double_is_sorted_bool (list(double)) -> bool
isSorted method list_bool_is_sorted_bool (list(bool)) -> bool
isSorted method list_duration_is_sorted_bool (list(duration)) -> bool
isSorted method list_timestamp_is_sorted_bool (list(timestamp)) -> bool
isSorted method list_string_is_sorted_bool (list(string)) -> bool
isSorted method list_bytes_is_sorted_bool (list(bytes)) -> bool
isURL function is_url_string (string) -> bool
isUnspecified method ip_is_unspecified (net.IP) -> bool
join method list_join (list(string)) -> string
join method list_join_string (list(string), string) -> string
labelSelector method authorizer_labelselector (kubernetes.authorization.ResourceCheck, string) -> kubernetes.authorization.ResourceCheck
last method list_last (list(V)) -> optional_type(V)
lastIndexOf method list_a_last_index_of_int (list(A), A) -> int
lastIndexOf method string_last_index_of_string (string, string) -> int
lastIndexOf method string_last_index_of_string_int (string, string, int) -> int
lists.range function lists_range (int) -> list(int)
lowerAscii method string_lower_ascii (string) -> string
major method semver_major (kubernetes.Semver) -> int
masked method cidr_masked (net.CIDR) -> net.CIDR
matches function matches (string, string) -> bool
matches method matches_string (string, string) -> bool
max method list_int_max_int (list(int)) -> int
max method list_uint_max_uint (list(uint)) -> uint
max method list_double_max_double (list(double)) -> double
max method list_bool_max_bool (list(bool)) -> bool
max method list_duration_max_duration (list(duration)) -> duration
max method list_timestamp_max_timestamp (list(timestamp)) -> timestamp
max method list_string_max_string (list(string)) -> string
max method list_bytes_max_bytes (list(bytes)) -> bytes
min method list_int_min_int (list(int)) -> int
min method list_uint_min_uint (list(uint)) -> uint
min method list_double_min_double (list(double)) -> double
min method list_bool_min_bool (list(bool)) -> bool
min method list_duration_min_duration (list(duration)) -> duration
min method list_timestamp_min_timestamp (list(timestamp)) -> timestamp
min method list_string_min_string (list(string)) -> string
min method list_bytes_min_bytes (list(bytes)) -> bytes
minor method semver_minor (kubernetes.Semver) -> int
name method resourcecheck_name (kubernetes.authorization.ResourceCheck, string) -> kubernetes.authorization.ResourceCheck
namespace method resourcecheck_namespace (kubernetes.authorization.ResourceCheck, string) -> kubernetes.authorization.ResourceCheck
optional.none function optional_none () -> optional_type(V)
optional.of function optional_of (V) -> optional_type(V)
optional.ofNonZeroValue function optional_ofNonZeroValue (V) -> optional_type(V)
optional.unwrap function optional_unwrap (list(optional_type(V))) -> list(V)
or method optional_or_optional (optional_type(V), optional_type(V)) -> optional_type(V)
orValue method optional_orValue_value (optional_type(V), V) -> V
patch method semver_patch (kubernetes.Semver) -> int
path method authorizer_path (kubernetes.authorization.Authorizer, string) -> kubernetes.authorization.PathCheck
prefixLength method cidr_prefix_length (net.CIDR) -> int
quantity function string_to_quantity (string) -> kubernetes.Quantity
reason method decision_reason (kubernetes.authorization.Decision) -> string
replace method string_replace_string_string (string, string, string) -> string
replace method string_replace_string_string_int (string, string, string, int) -> string
resource method groupcheck_resource (kubernetes.authorization.GroupCheck, string) -> kubernetes.authorization.ResourceCheck
reverse method list_reverse (list(T)) -> list(T)
semver function string_to_semver (string) -> kubernetes.Semver
semver function string_bool_to_semver (string, bool) -> kubernetes.Semver
serviceAccount method authorizer_serviceaccount (kubernetes.authorization.Authorizer, string, string) -> kubernetes.authorization.Authorizer
sets.contains function list_sets_contains_list (list(T), list(T)) -> bool
sets.equivalent function list_sets_equivalent_list (list(T), list(T)) -> bool
sets.intersects function list_sets_intersects_list (list(T), list(T)) -> bool
sign function quantity_sign (kubernetes.Quantity) -> int
size function size_bytes (bytes) -> int
size method bytes_size (bytes) -> int
size function size_list (list(A)) -> int
size method list_size (list(A)) -> int
size function size_map (map(A, B)) -> int
size method map_size (map(A, B)) -> int
size function size_string (string) -> int
size method string_size (string) -> int
slice method list_slice (list(T), int, int) -> list(T)
sort method list_int_sort (list(int)) -> list(int)
sort method list_uint_sort (list(uint)) -> list(uint)
sort method list_double_sort (list(double)) -> list(double)
sort method list_bool_sort (list(bool)) -> list(bool)
sort method list_google.protobuf.Duration_sort (list(duration)) -> list(duration)
sort method list_google.protobuf.Timestamp_sort (list(timestamp)) -> list(timestamp)
sort method list_string_sort (list(string)) -> list(string)
sort method list_bytes_sort (list(bytes)) -> list(bytes)
split method string_split_string (string, string) -> list(string)
split method string_split_string_int (string, string, int) -> list(string)
startsWith method starts_with_string (string, string) -> bool
string function string_to_string (string) -> string
string function bool_to_string (bool) -> string
string function bytes_to_string (bytes) -> string
string function double_to_string (double) -> string
string function duration_to_string (duration) -> string
string function int64_to_string (int) -> string
string function timestamp_to_string (timestamp) -> string
string function uint64_to_string (uint) -> string
string function ip_to_string (net.IP) -> string
string function cidr_to_string (net.CIDR) -> string
strings.quote function strings_quote (string) -> string
sub method quantity_sub (kubernetes.Quantity, kubernetes.Quantity) -> kubernetes.Quantity
sub method quantity_sub_int (kubernetes.Quantity, int) -> kubernetes.Quantity
subresource method resourcecheck_subresource (kubernetes.authorization.ResourceCheck, string) -> kubernetes.authorization.ResourceCheck
substring method string_substring_int (string, int) -> string
substring method string_substring_int_int (string, int, int) -> string
sum method list_int_sum_int (list(int)) -> int
sum method list_uint_sum_uint (list(uint)) -> uint
sum method list_double_sum_double (list(double)) -> double
sum method list_duration_sum_duration (list(duration)) -> duration
timestamp function timestamp_to_timestamp (timestamp) -> timestamp
timestamp function int64_to_timestamp (int) -> timestamp
timestamp function string_to_timestamp (string) -> timestamp
trim method string_trim (string) -> string
type function type (A) -> type(A)
uint function uint64_to_uint64 (uint) -> uint
uint function double_to_uint64 (double) -> uint
uint function int64_to_uint64 (int) -> uint
uint function string_to_uint64 (string) -> uint
unwrapOpt method optional_unwrapOpt (list(optional_type(V))) -> list(V)
jsonpatch.escapeKey function string_jsonpatch_escapeKey_string (string) -> string
upperAscii method string_upper_ascii (string) -> string
url function string_to_url (string) -> kubernetes.URL
validate method format-validate (kubernetes.NamedFormat, string) -> optional_type(list(string))
value method optional_value (optional_type(V)) -> V
"""


def _read(line: str) -> tuple[str, Overload]:
    name, kind, overload, rest = line.split(" ", 3)
    text, _, result = rest.rpartition(" -> ")
    args = tuple(types.read(part) for part in types.split(text[1:-1]))
    made = types.read(result)
    free = {p.name for t in (*args, made) for p in _params(t)}
    return name, Overload(overload, kind == "method", args, made, tuple(sorted(free)))


def _params(t: Type) -> list[Type]:
    return [t] if t.kind == "param" else [p for each in t.params for p in _params(each)]


def _all() -> dict[str, tuple[Overload, ...]]:
    found: dict[str, list[Overload]] = {}
    for line in _TABLE.strip().splitlines():
        name, overload = _read(line)
        found.setdefault(name, []).append(overload)
    return {name: tuple(overloads) for name, overloads in found.items()}


FUNCTIONS = _all()
