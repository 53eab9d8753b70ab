-- Which host names of a mesh mean one Service.
local services = {}

local function known(namespace)
  return namespace ~= nil and namespace ~= ""
end

-- Gives a function host → what follows the Service's name in it ("" for the short name, ".shop.svc.cluster.local"), or
-- false when the host means something else. `namespace` is the Service's (the Rollout's), `home` the one in which short
-- names of the object are resolved. The cluster's domain is not known here, so svc.ns.svc.<anything> counts; without
-- any namespace (objects from files often have none) svc.<anything> does.
function services.resolver(service, namespace, home)
  if not known(namespace) then
    namespace = home
  end
  if not known(home) then
    home = namespace
  end
  local found = {}
  if namespace == home then
    found[service] = ""
  end
  local prefix = service .. "."
  if known(namespace) then
    local qualified = prefix .. namespace
    found[qualified] = "." .. namespace
    found[qualified .. ".svc"] = "." .. namespace .. ".svc"
    prefix = qualified .. ".svc."
  end
  local length, name_length = #prefix, #service
  return function(host)
    local suffix = found[host]
    if suffix == nil then
      suffix = false
      if host and string.sub(host, 1, length) == prefix then
        suffix = string.sub(host, name_length + 1)
      end
      if host then
        found[host] = suffix
      end
    end
    return suffix
  end
end

return services
