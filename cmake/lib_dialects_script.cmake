# Run with -DOUT=FILE -DFILES=a;b;c: writes what a receiver needs of dialects/ as C byte arrays for libtenterhook. Groups
# that concern the sender alone and lines with nothing but a comment are left out, and samples where they tell nothing; test/unit/lib_scheme.c compares the rest
# with the files.
set(code "/* Generated from dialects/ by cmake/lib_dialects_script.cmake. */\n#include \"lib/internal.h\"\n")
set(rows "")
set(text "")
set(at_byte 0)
foreach(file IN LISTS FILES)
  get_filename_component(name ${file} NAME_WE)
  file(READ ${file} hex HEX)
  # Bytes as "xx": CMake's own characters (; [ ] $) stay out of its way. 0a: line feed, 20: blank, 23: #, 2d: -
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\1," hex "${hex}")
  string(REPLACE "0a," "0a,\n" hex "${hex}")
  string(REGEX REPLACE "(^|\n)(20,)*23,[0-9a-f,]*" "\\1" hex "${hex}")
  foreach(group about ids retry success timeout disable exhausted endpoint api)
    string(HEX "${group}:" key)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\1," key "${key}")
    string(REGEX REPLACE "(^|\n)${key}[0-9a-f,]*(\n20,[0-9a-f,]*|\n0a,|\n\n)*" "\\1" hex "${hex}")
  endforeach()
  # Samples tell the reader something only where data is passed through; lines and rows of the sender's go as well.
  set(byte "[0-9a-f][0-9a-f],")
  string(HEX "passthrough" word)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\1," word "${word}")
  set(kept "")
  string(FIND "${hex}" "2c,20,73,61,6d,70,6c,65,3a,20,27," at) # , sample: '
  if(at GREATER 0 AND hex MATCHES "${word}") # the first row with a sample is enough
    string(SUBSTRING "${hex}" 0 ${at} before)
    string(SUBSTRING "${hex}" ${at} -1 after)
    string(FIND "${after}" "\n" end)
    string(SUBSTRING "${after}" 0 ${end} row)
    string(SUBSTRING "${after}" ${end} -1 hex)
    set(kept "${before}${row}")
  endif()
  string(REGEX REPLACE "2c,20,73,61,6d,70,6c,65,3a,20,27,[0-9a-f,]*,27,7d,0a," "7d,0a," hex "${hex}")
  string(PREPEND hex "${kept}")
  # Of `secret` only `signing` is the receiver's.
  foreach(key method user_agent content_type json max_bytes closed source form min max prefix generated_form generated_bytes
          readable active order overlap_seconds "  variant") # "  key: ..."
    string(HEX "${key}: " line)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\1," line "${line}")
    string(REGEX REPLACE "(^|\n)20,20,${line}(${byte})*" "\\1" hex "${hex}")
  endforeach()
  # - {type: X} without a resource; - {name: X, from: tenant...}; - {name: X, value: Y} where Y has no brace
  string(REGEX REPLACE "(^|\n)(20,)+2d,20,7b,74,79,70,65,3a,20,([013-68-9a-f][0-9a-f],|2[0-9abdef],|7[0-9acef],)*7d,0a," "\\1" hex "${hex}")
  string(REGEX REPLACE "(^|\n)(20,)+2d,20,7b,6e,61,6d,65,3a,20,([013-9a-f][0-9a-f],|2[0-9abdef],)*2c,20,66,72,6f,6d,3a,20,74,65,6e,61,6e,74,2e,(${byte})*" "\\1" hex "${hex}")
  string(REGEX REPLACE "(^|\n)(20,)+2d,20,7b,6e,61,6d,65,3a,20,([013-9a-f][0-9a-f],|2[0-9abdef],)*2c,20,76,61,6c,75,65,3a,20,([0-68-9a-f][0-9a-f],|7[0-9ace-f],)*7d,(${byte})*" "\\1" hex "${hex}")
  # - {name: X, value: "{tenant... or "{schema... or "{retry...
  string(REGEX REPLACE "(^|\n)(20,)+2d,20,7b,6e,61,6d,65,3a,20,([013-9a-f][0-9a-f],|2[0-9abdef],)*2c,20,76,61,6c,75,65,3a,20,22,7b,(74,65,6e,61|73,63,68,65|72,65,74,72),(${byte})*" "\\1" hex "${hex}")
  string(REGEX REPLACE "(20,)+23,20,(${byte})*0a,\n" "0a,\n" hex "${hex}") # a comment behind something
  # , as: rfc3339, rfc3339_millis or unix, which a reader sees in the value
  string(REGEX REPLACE "2c,20,61,73,3a,20,(72,66,63,33,33,33,39(,5f,6d,69,6c,6c,69,73)?|75,6e,69,78),7d," "7d," hex "${hex}")
  string(REGEX REPLACE "(^|\n)0a," "\\1" hex "${hex}")
  # What is the default: timestamp: unix of a signature where the request names no other, and that all secrets sign.
  if(NOT hex MATCHES "(^|\n)20,20,74,69,6d,65,73,74,61,6d,70,3a,")
    string(REGEX REPLACE "(^|\n)20,20,20,20,74,69,6d,65,73,74,61,6d,70,3a,20,75,6e,69,78,0a," "\\1" hex "${hex}")
  endif()
  string(REGEX REPLACE "[\n]" "" hex "${hex}")
  string(HEX "secret:\n  signing: all\n" lines)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\1," lines "${lines}")
  string(REPLACE "${lines}" "" hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])," "0x\\1," bytes "${hex}")
  string(LENGTH "${bytes}" n)
  math(EXPR n "${n} / 5") # "0xNN," each
  string(APPEND text "${bytes}\n")
  string(APPEND rows "    {\"${name}\", ${at_byte}, ${n}},\n")
  math(EXPR at_byte "${at_byte} + ${n}")
endforeach()
string(APPEND code "const unsigned char th_lib_dialect_text[] = {\n${text}0};\n")
string(APPEND code "const struct th_lib_dialect th_lib_dialects[] = {\n${rows}    {\"\", 0, 0},\n};\n")
file(WRITE ${OUT} "${code}")
