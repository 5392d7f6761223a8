# Run with -DOUT=FILE -DDIR=BUILD -DROOT=ui -DFILES=a;b;c: compresses the files, and writes a C file that takes them into the
# binary with .incbin. Time and name are left out of what gzip writes, so that the same files give the same binary.
set(code "/* Generated from ui/ by cmake/embed_ui_script.cmake. */\n#include \"ui/embedded.h\"\n")
set(rows "")
file(MAKE_DIRECTORY ${DIR})
foreach(file IN LISTS FILES)
  file(RELATIVE_PATH path ${ROOT} ${file})
  string(MAKE_C_IDENTIFIER ${path} ident)
  file(SHA256 ${file} hash)
  string(SUBSTRING ${hash} 0 24 hash)
  file(SIZE ${file} whole)
  execute_process(COMMAND gzip -9nc ${file} OUTPUT_FILE ${DIR}/${ident}.gz RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "gzip could not compress ${file}: ${failed}")
  endif()
  string(APPEND code
    "__asm__(\".pushsection .rodata\\n.global th_ui_${ident}\\n.global th_ui_${ident}_end\\nth_ui_${ident}:\\n\"\n"
    "        \".incbin \\\"${DIR}/${ident}.gz\\\"\\nth_ui_${ident}_end:\\n.byte 0\\n.popsection\\n\");\n"
    "extern const char th_ui_${ident}[], th_ui_${ident}_end[];\n")
  string(APPEND rows "    {\"${path}\", th_ui_${ident}, th_ui_${ident}_end, ${whole}, \"${hash}\"},\n")
endforeach()
string(APPEND code "const struct th_ui_file th_ui_files[] = {\n${rows}    {NULL, NULL, NULL, 0, NULL},\n};\n")
file(WRITE ${OUT} "${code}")
