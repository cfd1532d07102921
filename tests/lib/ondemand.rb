#!/usr/bin/ruby
# frozen_string_literal: true

# Does what the dashboard of Open OnDemand does with an app, as its documentation says (tests/e2e/ondemand.bats):
#   ondemand.rb form APP              the form, as JSON
#   ondemand.rb submit APP DIR        what is submitted for the values on stdin (a JSON object; the rest as in the form)
#   ondemand.rb stage APP DIR         the session DIR, from template/ and these values
#   ondemand.rb view APP DIR FILE     FILE of the app, with what connection.yml says
require "erb"
require "fileutils"
require "json"
require "ostruct"
require "yaml"

APPS = "/var/www/ood/apps/sys"

# Gives a template the form's values: a method each.
Context = Struct.new(:values) do
  def method_missing(name, *)
    values.fetch(name.to_s)
  end

  def respond_to_missing?(*)
    true
  end
end
Session = Struct.new(:id, :staged_root)

def render(path, binding)
  erb = ERB.new(File.read(path), trim_mode: "-")
  erb.filename = path
  erb.result(binding)
end

def form(app)
  YAML.safe_load(render("#{APPS}/#{app}/form.yml.erb", Object.new.instance_eval { binding }))
end

def default(attribute)
  return attribute unless attribute.is_a?(Hash)
  return "0" if attribute["widget"] == "check_box"

  attribute.fetch("value") { attribute.fetch("options", [[nil, ""]]).first[1] }
end

def values(app)
  form = form(app)
  known = form.fetch("form").to_h { |name| [name, default(form.fetch("attributes").fetch(name))] }
  wanted = JSON.parse($stdin.read)
  raise "no field of the form: #{wanted.keys - known.keys}" unless (wanted.keys - known.keys).empty?

  known.merge(wanted).transform_values(&:to_s)
end

def stage(app, root)
  session = Session.new(File.basename(root), root)
  context = Context.new(values(app))
  FileUtils.mkdir_p(root)
  system("cp", "-a", "#{APPS}/#{app}/template/.", root, exception: true)
  File.write("#{root}/user_defined_context.json", JSON.pretty_generate(context.values))
  Dir.glob("#{root}/**/*.erb").each do |file|
    text = render(file, binding)
    File.write(file, text)
    File.rename(file, file.delete_suffix(".erb"))
  end
end

def submit(app, root)
  context = OpenStruct.new(values(app).merge(staged_root: root))
  YAML.safe_load(render("#{APPS}/#{app}/submit.yml.erb", context.instance_eval { binding }))
end

command, app, root, file = ARGV
case command
when "form" then puts JSON.generate(form(app))
when "stage" then stage(app, root)
when "submit" then puts JSON.generate(submit(app, root))
when "view"
  known = File.exist?("#{root}/connection.yml") ? YAML.safe_load_file("#{root}/connection.yml") : {}
  puts render("#{APPS}/#{app}/#{file}", OpenStruct.new(known.merge(staged_root: root)).instance_eval { binding })
else abort "ondemand.rb: form, submit, stage or view"
end
