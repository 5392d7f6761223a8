# What makes a fault of ours harder to use, in every build; test_install.py looks for it in the binary.
#
# Addresses are random (position-independent), tables of the linker are read-only before main begins (full RELRO, which binds
# every symbol at start), a large stack frame cannot jump over the guard page, and on x86-64 jumps end only where the
# compiler meant them to.
include(CheckCCompilerFlag)
include(CheckPIESupported)
check_pie_supported()
set(CMAKE_POSITION_INDEPENDENT_CODE ON) # which makes -fPIC of static libraries: th_layer says -fPIE again, after it
add_link_options(-Wl,-z,relro,-z,now)
check_c_compiler_flag(-fstack-clash-protection has_stack_clash_protection)
if(has_stack_clash_protection)
  add_compile_options(-fstack-clash-protection)
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
  add_compile_options(-fcf-protection)
endif()
