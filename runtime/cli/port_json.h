/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port_json.h - listening sockets as `ports` and `wait` show them
 */
#ifndef SB_CLI_PORT_JSON_H
#define SB_CLI_PORT_JSON_H

#include <jansson.h>

#include "runtime/sandbox/ports.h"

json_t *sb_port_json(const struct sb_port *p);

#endif /* SB_CLI_PORT_JSON_H */
