package lint

import "strings"

// options20 are the options that Mosquitto 2.0 reads, by its src/conf.c. An
// option that a build lacks is still read, with a warning.
const options20 = `
	acl_file address addresses allow_anonymous allow_duplicate_messages
	allow_zero_length_clientid auth_plugin auth_plugin_deny_special_chars auto_id_prefix
	autosave_interval autosave_on_changes bind_address bind_interface bridge_alpn
	bridge_attempt_unsubscribe bridge_bind_address bridge_cafile bridge_capath
	bridge_certfile bridge_identity bridge_insecure bridge_keyfile bridge_max_packet_size
	bridge_outgoing_retain bridge_protocol_version bridge_psk bridge_require_ocsp
	bridge_tls_version cafile capath certfile check_retain_source ciphers ciphers_tls1.3
	cleansession clientid clientid_prefixes connection connection_messages crlfile
	dhparamfile http_dir idle_timeout include_dir keepalive_interval keyfile listener
	local_cleansession local_clientid local_password local_username log_dest log_facility
	log_timestamp log_timestamp_format log_type max_connections max_inflight_bytes
	max_inflight_messages max_keepalive max_packet_size max_qos max_queued_bytes
	max_queued_messages max_topic_alias maximum_qos memory_limit message_size_limit
	mount_point notification_topic notifications notifications_local_only password
	password_file per_listener_settings persistence persistence_file persistence_location
	persistent_client_expiration pid_file plugin port protocol psk_file psk_hint
	queue_qos0_messages remote_clientid remote_password remote_username require_certificate
	restart_timeout retain_available retain_expiry_interval retained_persistence
	retry_interval round_robin set_tcp_nodelay socket_domain start_type sys_interval
	threshold tls_engine tls_engine_kpass_sha1 tls_keyform tls_version topic try_private
	upgrade_outgoing_qos use_identity_as_username use_subject_as_username
	use_username_as_clientid user username websockets_headers_size websockets_log_level
`

// options21 are those that 2.1 added.
const options21 = `
	accept_protocol_versions bridge_ciphers bridge_ciphers_tls1.3 bridge_max_topic_alias
	bridge_receive_maximum bridge_reload_type bridge_session_expiry_interval
	bridge_tcp_keepalive bridge_tcp_user_timeout bridge_tls_use_os_certs
	disable_client_cert_date_checks enable_control_api enable_proxy_protocol
	global_max_clients global_max_connections global_plugin listener_allow_anonymous
	listener_auto_id_prefix max_topic_alias_broker packet_buffer_size plugin_load plugin_use
	proxy_protocol_v2_require_tls websockets_origin
`

// optionPrefixes begin an option whose rest is a plugin's.
var optionPrefixes = []string{"auth_opt_", "plugin_opt_"}

// optionSince returns the version that first read an option, "" where none
// does.
func optionSince(name string) string {
	for _, prefix := range optionPrefixes {
		if strings.HasPrefix(name, prefix) {
			return "2.0"
		}
	}
	if hasWord(options20, name) {
		return "2.0"
	}
	if hasWord(options21, name) {
		return "2.1"
	}
	return ""
}

func hasWord(list, word string) bool {
	for w := range strings.FieldsSeq(list) {
		if w == word {
			return true
		}
	}
	return false
}
