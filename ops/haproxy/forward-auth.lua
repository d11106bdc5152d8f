-- Forward authentication for HAProxy 2.6 or newer, which has no module for it:
--   http-request lua.forward_auth <url of the service's /verify/haproxy>
-- A request may pass when the script set the variable txn.holdfast to "passed". The script answers every other request.

-- HAProxy 2.6 repeats the request three times after a timeout, within 3.2 s in all. That is longer than the service takes
-- to answer 503. The repeated requests find the result of the first one.
local TIMEOUT_MS = 800
local IDENTITY = { "x-auth-subject", "x-auth-scopes", "x-auth-session", "x-auth-issuer", "x-auth-degraded" }
local DENIED = { [400] = true, [401] = true, [403] = true, [429] = true, [503] = true }
-- The cookie that "tokenFrom" of the policy names. With it, the service needs the page that sent the request.
local COOKIE = "__Host-hf_at"
local ASKED = {
	"authorization", "origin", "x-holdfast", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest",
}
local TOLD = { "www-authenticate", "retry-after", "content-type", "cache-control" }
local UNDECIDED = {
	["retry-after"] = { [0] = "1" }, ["content-type"] = { [0] = "application/json" }, ["cache-control"] = { [0] = "no-store" },
}
local UNDECIDED_BODY = '{"error":"temporarily_unavailable","error_description":"The request could not be checked."}'

local function values(headers, name)
	local found = {}
	for i = 0, #(headers[name] or {}) do found[#found + 1] = (headers[name] or {})[i] end
	return found
end

-- All cookies together may be longer than the service allows. Two of the name stay two, and the service refuses them.
local function token_cookies(headers)
	local found = {}
	for _, line in ipairs(values(headers, "cookie")) do
		for pair in line:gmatch("[^;]+") do
			local name = pair:match("^%s*([^=]-)%s*=")
			if name == COOKIE then found[#found + 1] = pair:match("^%s*(.*)$") end
		end
	end
	return #found > 0 and { table.concat(found, "; ") } or {}
end

local function ask(txn, url)
	local sent = txn.http:req_get_headers()
	local headers = {
		["x-forwarded-method"] = { txn.sf:method() },
		["x-forwarded-uri"] = { txn.sf:pathq() },
		-- The service gets all values of the header, and refuses two.
		["x-forwarded-host"] = values(sent, "host"),
		["cookie"] = token_cookies(sent),
	}
	for _, name in ipairs(ASKED) do headers[name] = values(sent, name) end
	return core.httpclient():get({ url = url, headers = headers, timeout = TIMEOUT_MS })
end

local function deny(txn, status, headers, body)
	local reply = txn:reply({ status = status })
	for _, name in ipairs(TOLD) do
		for _, value in ipairs(values(headers, name)) do reply:add_header(name, value) end
	end
	reply:set_body(body)
	txn:done(reply)
end

core.register_action("forward_auth", { "http-req" }, function(txn, url)
	local asked, answer = pcall(ask, txn, url)
	local status = asked and answer and answer.status or 0
	if status == 200 and answer.headers["x-auth-degraded"] then
		for _, name in ipairs(IDENTITY) do
			txn.http:req_set_header(name, values(answer.headers, name)[1] or "")
		end
		txn:set_var("txn.holdfast", "passed")
	elseif DENIED[status] and (status ~= 503 or answer.headers["retry-after"]) then
		deny(txn, status, answer.headers, answer.body or "")
	else
		-- The service is down or silent, or its answer is malformed. When it does not answer, HAProxy generates a 503 without
		-- Retry-After, whose body is HTML.
		deny(txn, 503, UNDECIDED, UNDECIDED_BODY)
	end
end, 1)
