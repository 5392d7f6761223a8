# Run with -DOUT=FILE -DFILE=inbox.sql: writes the file as a C array that ends in NUL.
file(READ ${FILE} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(WRITE ${OUT} "/* Generated from packaging/sql by cmake/embed_sql_script.cmake. */\n"
     "#include \"cli/embedded_sql.h\"\nconst char th_embedded_inbox_sql[] = {${bytes}0};\n")
