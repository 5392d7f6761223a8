# Builds the files of dialects/ into the binary: one C array each, and a table of them.
file(GLOB dialect_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/dialects/*.yaml)
set(embed_c ${CMAKE_BINARY_DIR}/embedded_dialects.c)
add_custom_command(
  OUTPUT ${embed_c}
  COMMAND ${CMAKE_COMMAND} -DOUT=${embed_c} "-DFILES=${dialect_files}" -P ${CMAKE_SOURCE_DIR}/cmake/embed_script.cmake
  DEPENDS ${dialect_files} ${CMAKE_SOURCE_DIR}/cmake/embed_script.cmake
  VERBATIM)
add_library(th_embed STATIC ${embed_c})

# Builds the pages into the binary, compressed.
file(GLOB_RECURSE ui_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/ui/*.html ${CMAKE_SOURCE_DIR}/ui/*.js
     ${CMAKE_SOURCE_DIR}/ui/*.css ${CMAKE_SOURCE_DIR}/ui/*.svg)
set(embed_ui_c ${CMAKE_BINARY_DIR}/embedded_ui.c)
add_custom_command(
  OUTPUT ${embed_ui_c}
  COMMAND ${CMAKE_COMMAND} -DOUT=${embed_ui_c} -DDIR=${CMAKE_BINARY_DIR}/ui -DROOT=${CMAKE_SOURCE_DIR}/ui
          "-DFILES=${ui_files}" -P ${CMAKE_SOURCE_DIR}/cmake/embed_ui_script.cmake
  DEPENDS ${ui_files} ${CMAKE_SOURCE_DIR}/cmake/embed_ui_script.cmake
  VERBATIM)
add_library(th_embed_ui STATIC ${embed_ui_c})

# Builds the SQL that `tenterhook sql` prints into the binary.
set(inbox_sql ${CMAKE_SOURCE_DIR}/packaging/sql/inbox.sql)
set(embed_sql_c ${CMAKE_BINARY_DIR}/embedded_sql.c)
add_custom_command(
  OUTPUT ${embed_sql_c}
  COMMAND ${CMAKE_COMMAND} -DOUT=${embed_sql_c} -DFILE=${inbox_sql} -P ${CMAKE_SOURCE_DIR}/cmake/embed_sql_script.cmake
  DEPENDS ${inbox_sql} ${CMAKE_SOURCE_DIR}/cmake/embed_sql_script.cmake
  VERBATIM)
add_library(th_embed_sql STATIC ${embed_sql_c})
