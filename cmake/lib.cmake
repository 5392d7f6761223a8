# libtenterhook: what receivers link. The same sources are in th_lib for the server; here they are built with hidden
# names, a symbol map, and nothing that the public functions do not use.
include(GNUInstallDirs)
include(CheckCCompilerFlag)
include(CMakePackageConfigHelpers)

set(lib_dialects_c ${CMAKE_BINARY_DIR}/lib_dialects.c)
file(GLOB lib_dialect_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/dialects/*.yaml)
add_custom_command(
  OUTPUT ${lib_dialects_c}
  COMMAND ${CMAKE_COMMAND} -DOUT=${lib_dialects_c} "-DFILES=${lib_dialect_files}"
          -P ${CMAKE_SOURCE_DIR}/cmake/lib_dialects_script.cmake
  DEPENDS ${lib_dialect_files} ${CMAKE_SOURCE_DIR}/cmake/lib_dialects_script.cmake
  VERBATIM)
target_sources(th_lib PRIVATE ${lib_dialects_c})

file(GLOB lib_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/lib/*.c)
list(FILTER lib_sources EXCLUDE REGEX "/crypto_encrypt\\.c$") # the server's
set(lib_map ${CMAKE_SOURCE_DIR}/packaging/libtenterhook.map)
add_library(tenterhook_objects OBJECT ${lib_sources} ${lib_dialects_c})
set_target_properties(tenterhook_objects PROPERTIES POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
check_c_compiler_flag(-Oz lib_has_oz) # gcc from 12 on, clang
target_compile_options(tenterhook_objects PRIVATE -ffunction-sections -fdata-sections
  $<$<CONFIG:Release>:$<IF:$<BOOL:${lib_has_oz}>,-Oz,-Os>>)
target_compile_definitions(tenterhook_objects PRIVATE TH_LIB_SMALL)
target_link_libraries(tenterhook_objects PRIVATE PkgConfig::CRYPTO)

add_library(tenterhook_shared SHARED $<TARGET_OBJECTS:tenterhook_objects>)
set_target_properties(tenterhook_shared PROPERTIES
  OUTPUT_NAME tenterhook EXPORT_NAME tenterhook VERSION 0.${PROJECT_VERSION_MINOR}.${PROJECT_VERSION_PATCH} SOVERSION 0
  LINK_DEPENDS ${lib_map})
target_link_options(tenterhook_shared PRIVATE -Wl,--gc-sections -Wl,--version-script=${lib_map} -Wl,--as-needed
  -Wl,-Bsymbolic-functions # its own functions call each other without a detour
  -Wl,-z,noseparate-code) # pages shared between code and tables: the file stays small
target_link_libraries(tenterhook_shared PRIVATE PkgConfig::CRYPTO)
target_include_directories(tenterhook_shared INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

# The static library is one object whose inner names are made local, so that it cannot clash with a program's.
set(lib_static ${CMAKE_BINARY_DIR}/libtenterhook.a)
add_custom_command(
  OUTPUT ${lib_static}
  COMMAND ${CMAKE_C_COMPILER} -r -nostdlib -o tenterhook_all.o $<TARGET_OBJECTS:tenterhook_objects>
  COMMAND ${CMAKE_OBJCOPY} --localize-hidden tenterhook_all.o
  COMMAND ${CMAKE_COMMAND} -E rm -f ${lib_static}
  COMMAND ${CMAKE_AR} rcs ${lib_static} tenterhook_all.o
  DEPENDS tenterhook_objects $<TARGET_OBJECTS:tenterhook_objects> ${lib_map}
  WORKING_DIRECTORY ${CMAKE_BINARY_DIR}
  COMMAND_EXPAND_LISTS VERBATIM)
add_custom_target(tenterhook_static ALL DEPENDS ${lib_static})
# Whoever builds the program can install everything.
if(TARGET tenterhook)
  add_dependencies(tenterhook tenterhook_shared tenterhook_static)
endif()

configure_file(${CMAKE_SOURCE_DIR}/packaging/tenterhook.pc.in ${CMAKE_BINARY_DIR}/tenterhook.pc @ONLY)
set(lib_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/tenterhook)
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/tenterhook-config.cmake.in
  ${CMAKE_BINARY_DIR}/tenterhook-config.cmake INSTALL_DESTINATION ${lib_cmake_dir}
  PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/tenterhook-config-version.cmake COMPATIBILITY SameMinorVersion)

install(TARGETS tenterhook_shared EXPORT tenterhook-targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library NAMELINK_COMPONENT development)
install(FILES ${lib_static} DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/tenterhook DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  COMPONENT development FILES_MATCHING PATTERN "*.h")
install(FILES ${CMAKE_BINARY_DIR}/tenterhook.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
install(EXPORT tenterhook-targets NAMESPACE tenterhook:: DESTINATION ${lib_cmake_dir} COMPONENT development)
install(FILES ${CMAKE_BINARY_DIR}/tenterhook-config.cmake ${CMAKE_BINARY_DIR}/tenterhook-config-version.cmake
  DESTINATION ${lib_cmake_dir} COMPONENT development)
file(GLOB lib_manuals CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/man/*.3)
install(FILES ${lib_manuals} DESTINATION ${CMAKE_INSTALL_MANDIR}/man3 COMPONENT development)
# A page under the name of each function that another page describes.
foreach(page IN LISTS lib_manuals)
  get_filename_component(page_name ${page} NAME)
  file(STRINGS ${page} page_functions REGEX "^\\.Fo tenterhook_")
  foreach(function IN LISTS page_functions)
    string(REPLACE ".Fo " "" function "${function}")
    if(NOT "${function}.3" STREQUAL "${page_name}")
      file(WRITE ${CMAKE_BINARY_DIR}/man3/${function}.3 ".so man3/${page_name}\n")
      install(FILES ${CMAKE_BINARY_DIR}/man3/${function}.3 DESTINATION ${CMAKE_INSTALL_MANDIR}/man3 COMPONENT development)
    endif()
  endforeach()
endforeach()

install(FILES ${CMAKE_SOURCE_DIR}/docs/receiving.md ${CMAKE_SOURCE_DIR}/docs/dialects.md
  DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT development)
install(FILES ${CMAKE_SOURCE_DIR}/examples/http_receiver.c ${CMAKE_SOURCE_DIR}/examples/stdin_receiver.c
  DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples COMPONENT development)

if(TH_BENCH OR TH_TESTS)
  add_executable(bench_verify ${CMAKE_SOURCE_DIR}/bench/verify.c)
  target_link_libraries(bench_verify PRIVATE tenterhook_shared)
endif()
add_subdirectory(${CMAKE_SOURCE_DIR}/examples)
