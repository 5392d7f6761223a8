# A build for another architecture: cmake -DCMAKE_TOOLCHAIN_FILE=cmake/cross.cmake -DTH_CROSS_GNU=aarch64-linux-gnu -DTH_CROSS_ROOT=FOLDER, where
# the folder has the headers and libraries of that architecture (tools/build-cross makes it).
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES TH_CROSS_GNU TH_CROSS_ROOT)
string(REGEX REPLACE "-.*" "" CMAKE_SYSTEM_PROCESSOR ${TH_CROSS_GNU})
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_C_COMPILER ${TH_CROSS_GNU}-gcc)
set(CMAKE_SYSROOT ${TH_CROSS_ROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${TH_CROSS_ROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${TH_CROSS_ROOT}/usr/lib/${TH_CROSS_GNU}/pkgconfig:${TH_CROSS_ROOT}/usr/share/pkgconfig)
