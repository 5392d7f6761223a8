# What `make install` puts beside the library: the program, its manual pages, completions, the systemd unit with its
# settings. The Debian packages take their files from here (packaging/debian/*.install), so there is one list.
include(GNUInstallDirs)

install(TARGETS tenterhook RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT server)
file(GLOB command_manuals CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/packaging/man/*.1)
install(FILES ${command_manuals} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT server)

# Where each shell looks by itself, below /usr and below /usr/local.
set(completions ${CMAKE_SOURCE_DIR}/packaging/completions)
install(FILES ${completions}/tenterhook.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
  RENAME tenterhook COMPONENT server)
install(FILES ${completions}/_tenterhook DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions COMPONENT server)
install(FILES ${completions}/tenterhook.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT server)

# The unit and its settings name the program and the folder of this installation. Settings that are there already
# belong to the operator: they stay.
set(settings_dir ${CMAKE_INSTALL_FULL_SYSCONFDIR}/tenterhook)
foreach(file tenterhook.service tenterhook.yaml)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/packaging/systemd/${file})
  file(READ ${CMAKE_SOURCE_DIR}/packaging/systemd/${file} text)
  string(REPLACE /usr/bin/ ${CMAKE_INSTALL_FULL_BINDIR}/ text "${text}")
  string(REPLACE /etc/tenterhook ${settings_dir} text "${text}")
  file(WRITE ${CMAKE_BINARY_DIR}/systemd/${file} "${text}")
endforeach()
install(FILES ${CMAKE_SOURCE_DIR}/packaging/prometheus/tenterhook.rules.yaml
  ${CMAKE_SOURCE_DIR}/packaging/grafana/tenterhook.json
  DESTINATION ${CMAKE_INSTALL_DATADIR}/tenterhook COMPONENT server)
install(FILES ${CMAKE_BINARY_DIR}/systemd/tenterhook.service DESTINATION lib/systemd/system COMPONENT server)
install(CODE "
  if(EXISTS \"\$ENV{DESTDIR}${settings_dir}/tenterhook.yaml\")
    message(STATUS \"Kept: \$ENV{DESTDIR}${settings_dir}/tenterhook.yaml\")
  else()
    file(INSTALL \"${CMAKE_BINARY_DIR}/systemd/tenterhook.yaml\" DESTINATION \"${settings_dir}\")
  endif()" COMPONENT server)
